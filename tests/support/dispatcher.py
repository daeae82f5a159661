"""Files as an aristote-dispatcher has them, for the tests of coming over from it."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command

VALUES = """\
models:
  - name: mistral31-24b
    model: "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
    vllm_servers:
      - url: https://dc1.univ-xxx.example/vllm
        token: secret-of-dc1
      - url: https://dc1.univ-xxx.example/vllm
        token: secret-of-dc1
    routing_strategy: least-busy
  - name: llama31-8b2
    model: "meta-llama/Llama-3.1-8B-Instruct"
    vllm_servers:
      - url: https://dc2.univ-yyy.example
        token: secret-of-dc2
    routing_strategy: round-robin
"""
"""As the federation showed it: one address given twice, no organization, no policy."""

USERS = """\
id,token,name,organization,email,priority,threshold,client_type,default_routing_mode
1,tokenwithlowerpriority,Moodle,Université de Tours,moodle@tours.example,1,5,,any
2,"clé,à-l'ancienne;42",Capytale,Rennes,,5,20,chat,private-first
3,sk-0123456789abcdef0123456789abcdef,RAGaRenn,Rennes,rag@rennes.example,3,10,,private-only
"""
METRICS = """\
id,user_name,user_organization,request_date,sent_to_llm_date,response_date,model,server,server_organization,\
prompt_tokens,completion_tokens,strategy,requeue_count,max_parallel_requests,current_parallel_requests,priority,\
performance_score,routing_mode
1,Moodle,Université de Tours,2026-01-12 09:00:00.5,2026-01-12 09:00:01,2026-01-12 09:00:04,llama,\
http://127.0.0.1:8101,Rennes,12,34,round-robin,2,100,7,1,,any
2,Capytale,Rennes,2026-02-01 23:59:59,2026-02-01 23:59:59.9,2026-02-02 00:00:03,llama,\
https://gone.example,Reims,,,least-busy,0,16,3,5,0.25,private-first
3,Gone,Rennes,2026-02-03 08:00:00,2026-02-03 08:00:00,2026-02-03 08:00:09,qwen-2.5-3b,\
https://gone.example,,5,6,round-robin,0,100,1,3,,any
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def run(*arguments: object) -> list[str]:
    """Return the lines that a command prints."""
    output = StringIO()
    call_command(*map(str, arguments), stdout=output)
    return output.getvalue().splitlines()
