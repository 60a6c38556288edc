# glibc, because the listener's binaries are built against it; no build step, because Node runs the sources.
FROM debian:bookworm-slim AS install
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates nodejs npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /umbra
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts \
 && npm rebuild node
COPY src ./src
COPY config ./config

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home umbra \
 && install -d -o umbra -g umbra /umbra/data
WORKDIR /umbra
COPY --from=install /umbra ./
USER umbra
EXPOSE 9080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node_modules/.bin/node", "-e", "fetch('http://127.0.0.1:9180/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Mount the config over /umbra/config/umbra.yaml.
ENTRYPOINT ["node_modules/.bin/node", "src/main.ts"]
CMD ["run"]
