import { OutgoingMessage, type ServerResponse } from 'node:http';
import { Http2ServerResponse } from 'node:http2';

/** `headersSent` as Node knows it: `@fastify/express` and a held answer give the response a member of their own. */
export function answerHasBegun(response: ServerResponse): boolean {
  return asNodeKnows(response, 'headersSent');
}

/** `writableEnded` as Node knows it. */
export function answerHasEnded(response: ServerResponse): boolean {
  return asNodeKnows(response, 'writableEnded');
}

function asNodeKnows(response: ServerResponse, name: 'headersSent' | 'writableEnded'): boolean {
  // Responses of HTTP/2 are of another class.
  const isOfHttp2 = (response as unknown) instanceof Http2ServerResponse;
  if (isOfHttp2) return Reflect.get(Http2ServerResponse.prototype, name, response);
  const isOfHttp1: boolean = response instanceof OutgoingMessage;
  return isOfHttp1 ? Reflect.get(OutgoingMessage.prototype, name, response) : response[name];
}
