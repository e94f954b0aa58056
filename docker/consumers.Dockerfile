# Topics, matcher and alert consumer: one image, the command says which.
# NEVER BUILT SO FAR: there was no container runtime.
#   docker build -f docker/consumers.Dockerfile -t nearline-consumers .
#   docker run nearline-consumers python -m streaming.matcher --help

FROM python:3.11-slim-bookworm
WORKDIR /opt/nearline
COPY . .
RUN pip install -q 'uv>=0.9' && uv pip install -q --system -c constraints.txt -e '.[couchbase]' \
    && useradd --uid 1000 nearline
USER nearline
CMD ["python", "-m", "streaming.alert_consumer", "--help"]
