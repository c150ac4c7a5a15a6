"""Definitions as files: a folder with one prompt or agent a file, in YAML or JSON.

    prompts/support.yaml                        agents/triage.yaml
    ------------------------------------        ------------------------------------
    kind: prompt                                kind: agent
    name: support                               name: triage
    description: Answers customers.             type: chain
    labels: [support, mail]                     config:
    model: openai/gpt-4o-mini                     prompt_ids:
    temperature: 0.2                              - {prompt: support, role: draft, sort_order: 1}
    system_prompt: |                              - {prompt: polish, role: final, sort_order: 2}
      You answer for {{ company }}.             tools:
      Be brief.                                 - name: search_orders
    user_prompt_file: support.user.j2           run_budget: {max_cost: 0.05}
    input_schema:
      type: object
      properties: {company: {type: string}}
      required: [company]

Fields of both: `kind`, `name`, `description`, `labels`, `version` (a label for the version that the file makes; without
it the engine counts), `message`, `input_schema`, `output_schema`, `cache_timeout`.  A prompt has `system_prompt` and
`user_prompt`, or `system_prompt_file` and `user_prompt_file` with a path relative to the definition file; `model` (or
`llm_model_id`), `fallback_model` (or `fallback_llm_model_id`), `temperature`, `max_tokens`, `top_p` and `config`.  An
agent has `type`, `config`, `model_config`, `run_budget`, `approval_policy`, `tools`, `sub_agents` and `guardrails`; its
links are by name: `prompt` (or `prompt_id`) and `agent` (or `agent_id`).

Files end in `.yaml`, `.yml` or `.json`, are UTF-8, and may lie in subfolders; hidden ones are passed over.  YAML is
read as JSON data: see `files_yaml`.
"""

from __future__ import annotations

from promptrails_engine.definitions.files_format import AgentFile, DefinitionFile, PromptFile
from promptrails_engine.definitions.files_read import read_folder
from promptrails_engine.definitions.files_write import write_agent, write_prompt

__all__ = ["AgentFile", "DefinitionFile", "PromptFile", "read_folder", "write_agent", "write_prompt"]
