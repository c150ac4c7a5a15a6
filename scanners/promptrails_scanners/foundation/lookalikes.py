"""Characters that are drawn like letters of the Latin alphabet, and what they are drawn like.

After the pairs that Unicode's confusables data (UTS #39) lists for ASCII letters; written as strings of equal length.
"""

from __future__ import annotations

_PAIRS = (
    # Cyrillic
    ("АВЕЅІЈКМНОРСТУХԌԚԜҮЗвѕіјкмнорстухԁԛԝүһҽѵѡԍӏгпзьꙅ", "ABESIJKMHOPCTYXGQWY3BsijkmHopcTyxdqwyhevwglrn3bs"),
    ("аеѐёӑӓәєґїйўӣӯӧӫԐԑꓱ", "aeeeaaeegiiyiyooEeE"),
    # Greek
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳαβγεηικνορτυχϲωμ", "ABEZHIKMNOPTYXCjabyeniKvoptuxcwu"),
    # Armenian, Cherokee, Coptic, Georgian, Hebrew, Lisu
    ("ՍՏՕԼօոսհցզքյգ", "USOLonuhgqpjq"),
    ("ᎪᏴᏟᎠᎬᎻᎥᎫᏦᏞᎷᏀᏢᎡᏚᎢᏙᏔᎩᏃ", "ABCDEHiJKLMGPRSTVWYZ"),
    ("ⲀⲂⲤⲈⲎⲒⲔⲘⲚⲞⲢⲦⲨⲬⲁⲃⲥⲉⲏⲓⲕⲙⲛⲟⲣⲧⲩⲭ", "ABCEHIKMNOPTYXaBceHiKMnopTYX"),
    ("ꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "BCDEFGHIJKLMNOPRSTUVWXYZ"),
    # Latin letters that do not decompose
    ("ıȷɑɡɩɪʀʏʟɴɢʜʙᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢſƅƒɓɗɠƙɲƥƭʋƴłøđħŧʂɛɔ", "ijagiIRYLNGHBACDEJKMOPTUVWZsbfbdgknptvylodhtseo"),
)

LOOKALIKES: dict[str, str] = {
    ours: drawn for theirs, latin in _PAIRS for ours, drawn in zip(theirs, latin, strict=True)
}
"""What each is drawn like."""
