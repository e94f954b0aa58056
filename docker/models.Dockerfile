# Our model server on a CPU with the shipped checkpoints; SGLang takes its place by URL.
# NEVER BUILT SO FAR: there was no container runtime.
#   docker build -f docker/models.Dockerfile -t nearline-models .

FROM python:3.11-slim-bookworm
WORKDIR /opt/nearline
COPY . .
RUN pip install -q 'uv>=0.9' && uv pip install -q --system -c constraints.txt -e '.[models]' \
    && useradd --uid 1000 nearline
USER nearline
EXPOSE 8900
CMD ["nearline", "serve", "--host", "0.0.0.0"]
