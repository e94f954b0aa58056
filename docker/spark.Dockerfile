# Spark's driver and executors with our Python and our roots under /opt/nearline.
# NEVER BUILT SO FAR: there was no container runtime.
#   docker build -f docker/spark.Dockerfile -t nearline-spark .

FROM python:3.11-slim-bookworm
COPY --from=eclipse-temurin:17-jre /opt/java/openjdk /opt/java/openjdk
COPY --from=apache/spark:4.1.4 /opt/spark /opt/spark
COPY --from=apache/spark:4.1.4 /opt/entrypoint.sh /opt/entrypoint.sh
RUN apt-get update && apt-get install -y --no-install-recommends tini procps && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/nearline
COPY . .
RUN pip install -q 'uv>=0.9' && uv pip install -q --system -c constraints.txt -e '.[spark,couchbase]' \
    && useradd --uid 185 --home-dir /opt/spark spark
ENV JAVA_HOME=/opt/java/openjdk SPARK_HOME=/opt/spark PATH=/opt/spark/bin:/opt/java/openjdk/bin:$PATH
USER spark
ENTRYPOINT ["/opt/entrypoint.sh"]
