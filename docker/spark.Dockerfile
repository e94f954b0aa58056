# Spark's driver and executors from Spark's Python package, with our Python and our roots under /opt/nearline.
#   make images, or: docker build -f docker/spark.Dockerfile -t nearline-spark .

# any Debian 12, whose own Python is 3.11
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates openjdk-17-jre-headless procps \
      python3 python3-venv tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 185 --home-dir /opt/spark --no-log-init spark \
    && ln -s $(dirname $(dirname $(readlink -f $(command -v java)))) /opt/java
ENV PATH=/opt/venv/bin:/opt/spark/bin:$PATH VIRTUAL_ENV=/opt/venv JAVA_HOME=/opt/java SPARK_HOME=/opt/spark
WORKDIR /opt/nearline
COPY . .
COPY docker/entrypoints/spark.sh /opt/entrypoint.sh
# Spark's own folders are /opt/spark, where its scheduler and its operator look for them. /state: progress of a backfill, for
# a volume, which takes over its owner
RUN python3 -m venv /opt/venv && pip install -q --no-cache-dir 'uv>=0.9' \
    && uv pip install -q --no-cache -c constraints.txt -e '.[spark,couchbase]' \
    && package=/opt/venv/lib/python3.11/site-packages/pyspark && mkdir /opt/spark \
    && for folder in bin jars python sbin; do \
         mv $package/$folder /opt/spark/ && ln -s /opt/spark/$folder $package/$folder; done \
    && install -d -o 185 -g 185 /opt/spark/conf /opt/spark/work-dir /state
WORKDIR /opt/spark/work-dir
# by number: Kubernetes' runAsNonRoot does not know names
USER 185:185
ENTRYPOINT ["/opt/entrypoint.sh"]
