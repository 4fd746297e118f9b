import { OutgoingMessage, type ServerResponse } from 'node:http';

/** `headersSent` as Node knows it: `@fastify/express` gives the response a member of its own, which does not. */
export function answerHasBegun(response: ServerResponse): boolean {
  // Responses of HTTP/2 are of another class.
  const isOfHttp1: boolean = response instanceof OutgoingMessage;
  return isOfHttp1 ? Reflect.get(OutgoingMessage.prototype, 'headersSent', response) : response.headersSent;
}
