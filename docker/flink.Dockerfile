# Flink's JobManager and TaskManager with our Python, our roots and the Kafka connector.
# NEVER BUILT SO FAR: there was no container runtime.
#   docker build -f docker/flink.Dockerfile -t nearline-flink .

FROM maven:3-eclipse-temurin-17 AS jars
COPY nearline/stack/pom.xml /build/pom.xml
RUN mvn -q -B -f /build/pom.xml dependency:copy-dependencies -DoutputDirectory=/jars \
    -DincludeArtifactIds=flink-sql-connector-kafka,flink-metrics-prometheus

# pemja, a part of apache-flink, is compiled against a JDK's headers
FROM python:3.11-bookworm AS python
COPY --from=maven:3-eclipse-temurin-17 /opt/java/openjdk /opt/java/openjdk
ENV JAVA_HOME=/opt/java/openjdk
RUN pip install -q 'uv>=0.9' && uv venv -q /opt/venv
WORKDIR /opt/nearline
COPY . .
RUN uv pip install -q --python /opt/venv/bin/python -c constraints.txt -e '.[flink,couchbase]' \
    && /opt/venv/bin/python -c 'from pathlib import Path; from pipeline.pyfiles import build_zip; \
       build_zip(Path("pyfiles.zip"), "streaming")'

FROM python:3.11-slim-bookworm
COPY --from=flink:2.3.0-java17 /opt/java/openjdk /opt/java/openjdk
COPY --from=flink:2.3.0-java17 /opt/flink /opt/flink
COPY --from=flink:2.3.0-java17 /docker-entrypoint.sh /docker-entrypoint.sh
COPY --from=python /opt/venv /opt/venv
COPY --from=python /opt/nearline /opt/nearline
COPY --from=jars /jars/flink-sql-connector-kafka-*.jar /opt/flink/lib/
COPY --from=jars /jars/flink-metrics-prometheus-*.jar /opt/flink/plugins/metrics-prometheus/
RUN useradd --uid 9999 --home-dir /opt/flink flink \
    && cp /opt/flink/opt/flink-python-*.jar /opt/flink/lib/flink-python.jar \
    && chown -R flink:flink /opt/flink
ENV JAVA_HOME=/opt/java/openjdk FLINK_HOME=/opt/flink \
    PATH=/opt/venv/bin:/opt/flink/bin:/opt/java/openjdk/bin:$PATH
USER flink
EXPOSE 6123 8081 9249
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
