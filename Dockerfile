# Debian slim with glibc, which the listener's binaries are built against, and Node 22. No build step: Node runs the
# sources. The image brings its own Node, so the one that the `node` package would install is left out.
FROM node:22-bookworm-slim AS install
WORKDIR /umbra
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
WORKDIR /umbra
RUN useradd --system --uid 10001 --no-create-home umbra && install -d -o umbra -g umbra data
COPY --from=install /umbra/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY config ./config
# A config mounted over /umbra/config/umbra.yaml keeps its routes in data/ beside it, unless it says otherwise.
RUN rm -rf config/data && ln -s ../data config/data
USER umbra
EXPOSE 9080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9180/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Mount the config over /umbra/config/umbra.yaml.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["run"]
