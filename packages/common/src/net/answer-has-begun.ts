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

/** What code reads before it answers once more. */
export type AnswerSign = 'headersSent' | 'writableEnded';

/**
 * Lets a response say that it has begun, or ended, before Node does: whoever asks before answering once more must not end
 * the process by a second answer. Call what it returns when Node says the truth again.
 */
export function showSign(response: ServerResponse, name: AnswerSign): () => void {
  const before = Object.getOwnPropertyDescriptor(response, name);
  Object.defineProperty(response, name, { configurable: true, value: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(response, name);
    else Object.defineProperty(response, name, before);
  };
}

function asNodeKnows(response: ServerResponse, name: AnswerSign): boolean {
  // Responses of HTTP/2 are of another class.
  const isOfHttp2 = (response as unknown) instanceof Http2ServerResponse;
  if (isOfHttp2) return Reflect.get(Http2ServerResponse.prototype, name, response);
  const isOfHttp1: boolean = response instanceof OutgoingMessage;
  return isOfHttp1 ? Reflect.get(OutgoingMessage.prototype, name, response) : response[name];
}
