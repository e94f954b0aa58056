# Flink's JobManager and TaskManager from Flink's Python package, with our Python, our roots and the Kafka connector.
#   make images, or: docker build -f docker/flink.Dockerfile -t nearline-flink .

# any Debian 12, whose own Python is 3.11
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
ARG DEBIAN_FRONTEND=noninteractive
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
# pemja, a part of apache-flink, is compiled against the headers of a JDK and of Python
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates python3 python3-dev python3-venv \
      g++ openjdk-17-jdk-headless maven
COPY nearline/stack/pom.xml /build/pom.xml
RUN mvn -q -B -f /build/pom.xml dependency:copy-dependencies -DoutputDirectory=/build/jars \
      -DincludeArtifactIds=flink-sql-connector-kafka
WORKDIR /opt/nearline
COPY . .
# Flink's own folders are /opt/flink, where its operator looks for them; the Python package finds them there by links
RUN export JAVA_HOME=$(dirname $(dirname $(readlink -f $(command -v javac)))) \
    && python3 -m venv /opt/venv && /opt/venv/bin/pip install -q --no-cache-dir 'uv>=0.9' \
    && /opt/venv/bin/uv pip install -q --no-cache --python /opt/venv/bin/python -c constraints.txt -e '.[flink,couchbase]' \
    && /opt/venv/bin/python -c 'from pathlib import Path; from pipeline.pyfiles import build_zip; build_zip(Path("pyfiles.zip"), "streaming")' \
    && package=/opt/venv/lib/python3.11/site-packages/pyflink && mkdir /opt/flink \
    && for folder in bin conf lib log opt plugins; do \
         mv $package/$folder /opt/flink/ && ln -s /opt/flink/$folder $package/$folder; done \
    && cp /build/jars/flink-sql-connector-kafka-*.jar /opt/flink/lib/ \
    && ln -s opt/$(basename /opt/flink/opt/flink-python-*.jar) /opt/flink/flink-python.jar \
    && chown -R 9999:9999 /opt/flink

FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive
# gettext-base: envsubst, for the entry point
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates gettext-base \
      openjdk-17-jre-headless procps python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 9999 --home-dir /opt/flink --no-log-init flink \
    && ln -s $(dirname $(dirname $(readlink -f $(command -v java)))) /opt/java
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/nearline /opt/nearline
COPY --from=build --chown=9999:9999 /opt/flink /opt/flink
COPY docker/entrypoints/flink.sh /docker-entrypoint.sh
ENV JAVA_HOME=/opt/java FLINK_HOME=/opt/flink PATH=/opt/venv/bin:/opt/flink/bin:$PATH
WORKDIR /opt/flink
# by number: Kubernetes' runAsNonRoot does not know names
USER 9999:9999
EXPOSE 6123 8081 9249
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
