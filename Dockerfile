# docker build -t versitygw-ts .
# docker run -p 7070:7070 -v /srv/s3:/data -e ROOT_ACCESS_KEY=… -e ROOT_SECRET_KEY=… versitygw-ts
#
# The volume's file system must hold extended attributes, and the directory must be writable for user 1000.
FROM docker.io/library/node:24-bookworm-slim AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev make \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY tsconfig.json ./
COPY bin bin
COPY native native
COPY src src
# Shown by --version; there is no repository in here to ask.
ARG COMMIT=unknown
RUN COMMIT=$COMMIT npm run build \
  && npm prune --omit=dev --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete

FROM docker.io/library/node:24-bookworm-slim
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/bin/versitygw-ts bin/
COPY --from=build /app/native/build/addon.node native/build/
COPY --from=build /app/dist dist
RUN ln -s /app/bin/versitygw-ts /usr/local/bin/versitygw-ts && install -d -o node -g node /data
# Node's own user `node`, as a number: Kubernetes' runAsNonRoot looks for one.
USER 1000:1000
VOLUME /data
EXPOSE 7070
ENTRYPOINT ["versitygw-ts"]
CMD ["posix", "/data"]
