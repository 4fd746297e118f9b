import { getCaller, Permit } from '@countersign/fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface Ticket {
  readonly queue: string;
  readonly title: string;
  /** The agent that opened it, and the user for whom. */
  readonly openedBy: string;
  readonly openedFor: string;
}

type TicketRequest = FastifyRequest<{ Params: { queue: string }; Body: { title: string } }>;

/** A controller: its methods carry their permission, wherever they are mounted. */
export class Tickets {
  readonly #opened: Ticket[] = [];

  @Permit('ticket.create', ({ params }) => ({ type: 'Queue', id: params['queue'] }), { requires: 'ticket:create' })
  async create(request: TicketRequest, reply: FastifyReply): Promise<Ticket> {
    const { params, body } = request;
    const caller = getCaller(request);
    const ticket = {
      queue: params.queue,
      title: body.title,
      openedBy: caller?.actor.id ?? '',
      openedFor: caller?.subject.id ?? '',
    };
    this.#opened.push(ticket);
    reply.code(201);
    return ticket;
  }

  get opened(): readonly Ticket[] {
    return this.#opened;
  }
}
