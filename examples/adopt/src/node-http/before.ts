import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { listening, port } from '../listening.js';
import { addNote, answerFor, ClientError, findOrder } from '../orders.js';

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/health') return void response.end('well');
  const [, id = '', notes] = /^\/orders\/(\w+)(\/notes)?$/.exec(request.url ?? '') ?? [];
  if (request.method === 'GET' && id !== '' && notes === undefined) {
    return send(response, 200, findOrder(id));
  }
  if (request.method === 'POST' && id !== '' && notes !== undefined) {
    return send(response, 201, addNote(id, await json(request)));
  }
  throw new ClientError(404, 'no such page');
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    const { status, body } = answerFor(error);
    send(response, status, body);
  });
});
server.listen(port, () => listening(server));
