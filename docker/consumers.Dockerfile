# Topics, matcher, alert consumer and search service: one image, the command says which.
#   make images, or: docker build -f docker/consumers.Dockerfile -t nearline-consumers .
#   docker run nearline-consumers python -m streaming.matcher --help

# any Debian 12, whose own Python is 3.11
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --no-log-init nearline
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1
WORKDIR /opt/nearline
COPY . .
RUN python3 -m venv /opt/venv && pip install -q --no-cache-dir 'uv>=0.9' \
    && uv pip install -q --no-cache -c constraints.txt -e '.[couchbase,search]'
# by number: Kubernetes' runAsNonRoot does not know names
USER 1000:1000
CMD ["python", "-m", "streaming.alert_consumer", "--help"]
