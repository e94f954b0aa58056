# Our model server with the shipped checkpoints, on a CPU or a GPU; SGLang takes its place by URL.
#   make images, or: docker build -f docker/models.Dockerfile -t nearline-models .
# torch brings its CUDA libraries (4.5 GB). Without a GPU: --build-arg TORCH_BACKEND=cpu, where PyTorch's own package index
# can be reached.

# any Debian 12, whose own Python is 3.11
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
ARG TORCH_BACKEND=
# the kernels of models/engine/native are compiled for the CPU on which the container starts
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates python3 python3-venv g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 --no-log-init nearline
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1
WORKDIR /opt/nearline
COPY . .
RUN python3 -m venv /opt/venv && pip install -q --no-cache-dir 'uv>=0.9' \
    && uv pip install -q --no-cache ${TORCH_BACKEND:+--torch-backend $TORCH_BACKEND} -c constraints.txt -e '.[models]'
# by number: Kubernetes' runAsNonRoot does not know names
USER 1000:1000
EXPOSE 8900
CMD ["nearline", "serve", "--host", "0.0.0.0"]
