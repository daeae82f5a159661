# `make` lists the commands. All run from a bare Python: config/launch/bootstrap.py makes .venv first.
# Given as `make run PORT=8001 VAR=other`, or in the environment: PORT, VAR (data folder), DATABASE_URL.
PYTHON ?= python3
ARGS ?=
LAUNCH = @exec $(PYTHON) config/launch/bootstrap.py

.PHONY: help run rehearse serve install backup restore test test-real bench bench-accounts check fix messages compilemessages lock
help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## */make \1\t/p' Makefile | expand -t 24

run:             ## the demonstration: a small federation on http://127.0.0.1:8000
	$(LAUNCH) run
rehearse:        ## an empty federation to try the whole way with; its e-mails are read at /demo/mail/
	$(LAUNCH) rehearse
serve:           ## the product without demonstration data
	$(LAUNCH) serve
install:         ## packages and translations, nothing started: for a server (docs/operations.md)
	$(LAUNCH) compilemessages
backup:          ## database, spool, stops, limits and secrets into one file (FILE=/path, or a folder)
	$(LAUNCH) backup "$(FILE)"
restore:         ## a backup into an empty data folder (FILE=/path; REPLACE=1 gives up what is there)
	$(LAUNCH) restore "$(FILE)" $(if $(REPLACE),--replace)
test:            ## every test (ARGS="-k word" for some of them)
	$(LAUNCH) test $(ARGS)
test-real:       ## the tests against a real vLLM
	$(LAUNCH) test-real $(ARGS)
bench:           ## every measurement, into bench/results/ (ARGS="--quick", "--only ramp relay": bench/README.md)
	$(LAUNCH) bench $(ARGS)
bench-accounts:  ## millions of usage records, stored and read (RECORDS=10000000)
	$(LAUNCH) bench-accounts $(RECORDS)
check:           ## format, lint, types, import order, templates, migrations, translations
	$(LAUNCH) check
fix:             ## what formatters and linters can put right by themselves
	$(LAUNCH) fix
messages:        ## collect the texts to translate into locale/ (needs gettext)
	$(LAUNCH) messages
compilemessages: ## compile locale/ (run, serve and test do it by themselves)
	$(LAUNCH) compilemessages

UV_COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
  --no-emit-index-url --no-emit-find-links --no-header
lock:            ## pin the packages of pyproject.toml again (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	$(UV_COMPILE) pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --group dev -o requirements/dev.txt
