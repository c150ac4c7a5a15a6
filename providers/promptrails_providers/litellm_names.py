"""The prefixes of litellm's model names, so that a name can be judged without importing litellm."""

from __future__ import annotations

# fmt: off
PROVIDER_PREFIXES = frozenset({
    "a2a", "abliteration", "ai21", "ai21_chat", "aihubmix", "aiml", "aiohttp_openai", "amazon_nova", "anthropic",
    "anthropic_text", "anyscale", "apertis", "azure", "azure_ai", "azure_text", "baseten", "bedrock",
    "bedrock_mantle", "bytez", "cerebras", "charity_engine", "chatgpt", "chutes", "clarifai", "cloudflare",
    "codestral", "cognition", "cohere", "cohere_chat", "cometapi", "compactifai", "cortecs", "crusoe", "cursor",
    "custom_openai", "darkbloom", "dashscope", "databricks", "datarobot", "deepinfra", "deepseek",
    "docker_model_runner", "edenai", "empiriolabs", "empower", "fal_ai", "featherless_ai", "fireworks_ai", "friendliai",
    "galadriel", "gdc", "gemini", "gigachat", "github", "github_copilot", "gmi", "gradient_ai", "groq", "helicone",
    "heroku", "hosted_vllm", "huggingface", "hyperbolic", "inception", "lambda_ai", "langflow", "langgraph",
    "lemonade", "libertai", "litellm_proxy", "llamafile", "llamagate", "lm_studio", "manus", "maritalk", "meta",
    "meta_llama", "minimax", "mistral", "modelscope", "moonshot", "morph", "nadir", "nano-gpt", "nebius",
    "neosantara", "nlp_cloud", "novita", "nscale", "nvidia_nim", "oci", "ollama", "ollama_chat", "oobabooga",
    "openai", "openai_like", "openrouter", "ovhcloud", "parasail", "perplexity", "petals", "pinstripes", "poe",
    "predibase", "prism", "publicai", "qwen_ai_platform", "qwencloud", "ragflow", "reka", "replicate", "sagemaker",
    "sagemaker_chat", "sagemaker_nova", "sail", "sambanova", "sap", "sarvam", "scaleway", "scx-ai", "snowflake",
    "strands_decider", "synthetic", "tencent", "tensormesh", "text-completion-codestral",
    "text-completion-inception", "text-completion-openai", "together_ai", "triton", "typesafe", "v0", "veniceai",
    "vercel_ai_gateway", "vertex_ai", "vertex_ai_beta", "vllm", "volcengine", "wandb", "watsonx", "watsonx_text",
    "xai", "xiaomi_mimo", "xinference", "zai",
})
# fmt: on
"""Providers of chat models; those that only speak, draw, embed or store are left out."""
