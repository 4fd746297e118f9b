export interface Order {
  readonly id: string;
  readonly item: string;
  readonly notes: readonly string[];
}

/** A client's mistake, with the status that the error handlers answer. */
export class ClientError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const orders = new Map<string, Order>([['1001', { id: '1001', item: 'a kettle', notes: [] }]]);

/** @throws ClientError when the order does not exist. */
export function findOrder(id: string): Order {
  const order = orders.get(id);
  if (order === undefined) throw new ClientError(404, 'no such order');
  return order;
}

/** @throws ClientError when the order does not exist, or the body is not a note. */
export function addNote(id: string, body: unknown): Order {
  const order = findOrder(id);
  if (typeof body !== 'object' || body === null || !('text' in body) || typeof body.text !== 'string') {
    throw new ClientError(400, 'text is missing');
  }
  const annotated = { ...order, notes: [...order.notes, body.text] };
  orders.set(id, annotated);
  return annotated;
}

/** The response to an error: the status that it carries if the client caused it, without internals. */
export function answerFor(error: unknown): { readonly status: number; readonly body: { readonly error: string } } {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  return status < 500 && error instanceof Error
    ? { status, body: { error: error.message } }
    : { status: 500, body: { error: 'something went wrong' } };
}
