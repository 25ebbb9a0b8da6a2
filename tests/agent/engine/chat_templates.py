"""Pieces of chat templates (Jinja) as models have them."""

COUNTS_TURNS = """
{%- set ns = namespace(turns=0) -%}
{%- for message in messages -%}
{%- if message['role'] == 'user' or (message['role'] == 'assistant' and not message['tool_calls']) -%}
{%- if (message['role'] == 'user') != (ns.turns % 2 == 0) -%}
{{ raise_exception('conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}
{%- set ns.turns = ns.turns + 1 -%}
{%- endif -%}
{%- endfor -%}"""
"""Before a template's own text: it then raises as those of Mistral's and Google's models do."""
