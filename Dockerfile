# One image, two commands: api and worker. Debian, because missions run repositories' own tools.
FROM node:22-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git openssh-client bubblewrap && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install
COPY . .
RUN npm run build && mkdir /data && chown node:node /data && chmod 700 /data
USER node
ENV MISSION_CONTROL_HOME=/data MISSION_CONTROL_HOST=0.0.0.0 MISSION_CONTROL_PORT=8000
EXPOSE 8000
CMD ["node", "dist/api/main.js"]
