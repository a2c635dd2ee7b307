import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, findProgram, freePort, start, temporaryFolder, waitForPort } from '../../../bench/programs.ts'
import type { Peer } from './peer.ts'

const configuration = (
  folder: string,
  port: number,
  h2Port: number,
  originPort: number,
  grpcPort: number,
): string => `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  # An origin that broke one answer is asked again for the next.
  upstream origin { server 127.0.0.1:${originPort} max_fails=0; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    listen 127.0.0.1:${h2Port} http2;
    location /pkg.Echo { grpc_pass grpc://127.0.0.1:${grpcPort}; }
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 1s;
    }
  }
}
`

export const nginx: Peer = {
  name: 'nginx',
  version: () => /nginx\/(\S+)/.exec(spawnSync(findProgram('nginx'), ['-v'], { encoding: 'utf8' }).stderr)?.[1] ?? '?',
  start: async (originPort, grpcPort) => {
    const folder = temporaryFolder()
    const port = await freePort()
    const h2Port = await freePort()
    writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port, h2Port, originPort, grpcPort))
    const child = start([findProgram('nginx'), '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'start.log')])
    await waitForPort(port, child)
    return { port, h2Port, stop: () => end(child) }
  },
}
