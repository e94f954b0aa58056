# Our model server on a CPU with the shipped checkpoints; SGLang takes its place by URL.
# NEVER BUILT SO FAR: there was no container runtime.
#   docker build -f docker/models.Dockerfile -t nearline-models .

FROM python:3.11-slim-bookworm
WORKDIR /opt/nearline
# the kernels of models/engine/native are compiled for the CPU on which the container starts
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . .
RUN pip install -q 'uv>=0.9' && uv pip install -q --system -c constraints.txt -e '.[models]' \
    && useradd --create-home --uid 1000 nearline
USER nearline
EXPOSE 8900
CMD ["nearline", "serve", "--host", "0.0.0.0"]
