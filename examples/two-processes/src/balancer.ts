import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { listen, type Loopback } from '@countersign/example-stage';

/**
 * A small load balancer: one process after the other. It passes a request on as it came, because the agent has signed it.
 * It tries another process only if the first could not be connected: a request that was sent may have been carried out.
 */
export async function startBalancer(ports: () => readonly number[]): Promise<Loopback> {
  const balancer = await listen();
  let turn = 0;
  balancer.server.on('request', (incoming, answer) => {
    const all = ports();
    const start = turn++ % Math.max(1, all.length);
    pass(incoming, answer, [...all.slice(start), ...all.slice(0, start)]);
  });
  return balancer;
}

function pass(incoming: IncomingMessage, answer: ServerResponse, [port, ...others]: readonly number[]): void {
  if (port === undefined) {
    answer.writeHead(502).end();
    return;
  }
  const { method, url: path, rawHeaders: headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  outgoing.on('response', (response) => {
    answer.writeHead(response.statusCode ?? 502, response.rawHeaders);
    response.pipe(answer);
    response.on('error', () => answer.destroy());
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') pass(incoming, answer, others);
    else if (!answer.headersSent) answer.writeHead(502).end();
  });
  outgoing.on('socket', (socket) => socket.once('connect', () => incoming.pipe(outgoing)));
}
