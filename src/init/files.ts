/**
 * Files beside a configuration for going live on one machine: how the server is started, and what stands in front of it. They go with
 * the configuration of `config/production.ts`, whose listeners are on loopback addresses.
 */

export interface Site {
  /** The name by which browsers reach the server. */
  readonly domain: string;
}

/** By their names. */
export function deploymentFiles({ domain }: Site): Readonly<Record<string, string>> {
  return {
    "carillon.service": UNIT,
    "compose.yaml": compose(domain),
    Caddyfile: caddyfile(domain),
    "nginx.conf": nginx(domain),
  };
}

/** Both are above what a stop takes, `shutdown.timeout`. */
const STOP_SECONDS = 40;
/** Each connection is one. */
const OPEN_FILES = 1_048_576;

const UNIT = `# Carillon under systemd (250 or newer), with "carillon" installed for all: npm install -g carillon
#   sudo install -m 600 -D carillon.toml /etc/carillon/carillon.toml
#   sudo install -m 644 carillon.service /etc/systemd/system/
#   sudo systemctl daemon-reload && sudo systemctl enable --now carillon
[Unit]
Description=Carillon realtime push server
After=network-online.target
Wants=network-online.target

[Service]
# The configuration holds secrets: it stays root's own, and the service is handed a copy.
DynamicUser=yes
LoadCredential=carillon.toml:/etc/carillon/carillon.toml
ExecStart=/usr/bin/env carillon serve --config \${CREDENTIALS_DIRECTORY}/carillon.toml
# The database and master.key: back them up together.
StateDirectory=carillon
Environment=CARILLON_DATA_DIR=/var/lib/carillon
# Each connection is an open file.
LimitNOFILE=${OPEN_FILES}
# A stop tells clients to come back, and waits for what is queued.
TimeoutStopSec=${STOP_SECONDS}
Restart=on-failure
RestartSec=1
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
`;

const compose = (
  domain: string,
): string => `# One server and a proxy that gets itself a certificate for ${domain}.
#   docker build -t carillon <the source of Carillon>
#   sudo chown 1000 carillon.toml     # the image's user: the file is for its owner alone
#   docker compose up -d
services:
  carillon:
    image: carillon
    # Signals reach the server, also while it starts.
    init: true
    environment:
      # The proxy comes from another address than in carillon.toml.
      CARILLON_CLIENTS_HOST: 0.0.0.0
      CARILLON_CLIENTS_TRUSTED_PROXIES: 172.16.0.0/12 192.168.0.0/16
      CARILLON_API_HOST: 0.0.0.0
      CARILLON_DATA_DIR: /data
    volumes: ["./carillon.toml:/app/carillon.toml:ro", "data:/data"]
    # What your servers call stays on this machine.
    ports: ["127.0.0.1:9000:9000"]
    stop_grace_period: ${STOP_SECONDS}s
    ulimits: { nofile: ${OPEN_FILES} }
    restart: unless-stopped

  proxy:
    image: caddy:2-alpine
    command: [caddy, reverse-proxy, --from, "${domain}", --to, "carillon:8000"]
    ports: ["80:80", "443:443"]
    volumes: ["certificates:/data"]
    ulimits: { nofile: ${OPEN_FILES} }
    restart: unless-stopped

volumes:
  data:
  certificates:
`;

const caddyfile = (
  domain: string,
): string => `# Caddy in front of Carillon on the same machine. It gets itself a certificate, and passes WebSockets on unasked.
${domain} {
	reverse_proxy 127.0.0.1:8000 {
		# What the server streams is handed over at once.
		flush_interval -1
		# From Caddy 2.7 on: when it loads a changed file, sockets live on.
		# stream_close_delay 5m
		# A server that stops gets no new connections.
		health_uri /ready
		health_port 9000
		health_interval 2s
	}
}
`;

const nginx = (
  domain: string,
): string => `# nginx in front of Carillon on the same machine: a file of /etc/nginx/conf.d. Each client takes two of nginx's connections, so raise
# worker_connections (events) and worker_rlimit_nofile in nginx.conf.
map $http_upgrade $carillon_connection {
    default upgrade;
    ""      "";
}

upstream carillon {
    server 127.0.0.1:8000;
    keepalive 64;
}

server {
    listen 443 ssl;
    server_name ${domain};
    ssl_certificate     /etc/letsencrypt/live/${domain}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/${domain}/privkey.pem;

    location / {
        proxy_pass http://carillon;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        # WebSockets.
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $carillon_connection;
        # Who the client is: nginx stands among trusted_proxies.
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        # What the server streams is handed over at once.
        proxy_buffering off;
        # Longer than the 25 s between the server's pings.
        proxy_read_timeout 75s;
        proxy_send_timeout 75s;
    }
}
`;
