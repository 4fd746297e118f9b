// One kept-alive connection with one request in flight, as raw text: a client library would cost more than the server.
import { once } from 'node:events';
import { connect } from 'node:net';
import { HOST } from './world.mjs';

export async function openConnection(port) {
  const socket = connect({ host: HOST, port, noDelay: true }).setEncoding('latin1');
  await once(socket, 'connect');
  let received = '';
  let settle;
  socket.on('data', (text) => {
    received += text;
    if (!isWhole(received)) return;
    const { resolve } = settle;
    const answer = received;
    received = '';
    settle = undefined;
    resolve(answer);
  });
  socket.on('error', () => {});
  socket.on('close', () => settle?.reject(new Error('the server closed the connection')));
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the server closed the connection'));
        settle = { resolve, reject };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

function isWhole(text) {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const [, length] = /^content-length: *(\d+)/im.exec(text.slice(0, headEnd + 2)) ?? [];
  if (length === undefined) throw new Error(`an answer without a length: ${text}`);
  return text.length >= headEnd + 4 + Number(length);
}
