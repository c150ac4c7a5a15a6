"""Words that tell of secrets, and words that tell against one."""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STRONG = _set(
    """
    accesskey accesstoken apikey apikeys apitoken appkey authkey authorization authtoken bearer clientsecret
    connectionstring credential credentials encryptionkey jwtsecret licensekey masterkey passphrase passwd password
    pat privatekey pwd refreshtoken secret secretkey sessiontoken signingkey token webhooksecret
    """
)
"""These say that a value is a secret."""
BEFORE_KEY = _set(
    """
    access account admin api app application auth bot client consumer deploy dev developer encryption hmac integration
    jwt license live master personal private prod querykey registration rest secret server service session shared
    signing storage test user webhook x
    """
)
"""With one of these before it, a key is a secret one."""
WEAK = _set(
    """
    access api auth authorization code credential id key keys login pass pk private sid sk
    """
)
"""These say little."""
ALONE = _set(
    """
    auth authorization key keys sk
    """
)
"""Of those that say little, these say enough beside a long value."""
WITH_WORD = _set(
    """
    access auth key keys private sk
    """
)
"""And these beside the name of a service that is a word of English."""
TIED = _set(
    """
    access api auth client code id integration key keys licence license private
    """
)
"""These can be tied to a value by a hyphen."""
AGAINST = _set(
    """
    audience blob branch build cache checksum checksums color colour commit continuation count crc csrf cursor digest
    docker domain dsa ecdsa ed25519 email endpoint etag event file filename fingerprint foreign guid hash hashes head
    host hostname idempotency image instrumentation integrity issuer iv jti key_name kid layer length mail max md5
    measurement min name names next nonce object page parent partition path primary public publickey publishable ref
    refs region request resolved rev revision row rsa salt schema selector sha sha1 sha256 sha384 sha512 signature
    site size sort span srcrev ssh subject tag thumbprint trace tracking tree type uri url username uuid vector
    verification version versions xsrf
    """
)
"""With one of these between the name and the value, or as the word before a key, it is none."""
PUBLIC_IDS = _set(
    """
    app application bundle channel client device order organization package product project request session site team
    tenant user workspace
    """
)
"""With one of these before it, an id names something, and everybody may know it."""
STAND_INS = _set(
    """
    account admin api apikey bar baz credentials db_password db_user dbpass dbuser email example foo guest host key
    login me my_password my_user mypass mypassword myuser name pass passwd password pat personal_access_token pwd root
    secret test token uname user username usr xxx your_password your_username yyy zzz
    """
)
"""What stands for a name and a password in documents."""
NO_PASSWORDS = _set(
    """
    admin always ask changed confirm correct current default demo empty encrypted enter env false field file forgot
    guest hashed hello hidden hide hunter2 incorrect input invalid label letmein missing never nil none null
    open_sesame opensesame optional passwd password passwort placeholder plain plaintext present prompt qwerty repeat
    required reset root secret secrets sesame show stdin string test text true type undefined unset user value vault
    world wrong
    """
)
"""What stands beside the word for a password and is none."""
NO_NAMES = _set(
    """
    age box changed confirm confirmation digest ed encoder error errors es expired expiry field file form hash hint id
    ing input label length manager max min name path placeholder policy required reset s salt strength text type url
    """
)
"""With one of these after it, the word for a password names something else."""
