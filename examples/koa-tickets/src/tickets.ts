import { createHash } from 'node:crypto';
import { Permit } from '@countersign/koa';
import type { ParameterizedContext } from 'koa';
import type { TicketState, Who } from './who.js';

export interface Ticket {
  readonly number: number;
  readonly title: string;
  readonly state: 'open' | 'urgent' | 'closed';
  readonly openedBy: Who;
  readonly attachments: readonly Attachment[];
}

export interface Attachment {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly addedBy: Who;
}

type Context = ParameterizedContext<TicketState> & { readonly params: Readonly<Record<string, string>> };

/** The one desk of this API, the resource of every permit. */
export const desk = { type: 'Desk', id: 'support' } as const;

/** A controller for people and agents. `@Permit` asks policy about agents, and leaves people to the application. */
export class Tickets {
  readonly #tickets: Ticket[] = [];

  @Permit('ticket.read', desk)
  async list(ctx: Context): Promise<void> {
    ctx.body = this.#tickets;
  }

  @Permit('ticket.create', desk)
  async create(ctx: Context): Promise<void> {
    const { title } = (ctx.request.body ?? {}) as { title?: unknown };
    if (typeof title !== 'string') ctx.throw(400, 'title is missing');
    const number = this.#tickets.length + 1;
    ctx.status = 201;
    ctx.body = this.#put({ number, title, state: 'open', openedBy: ctx.state.who, attachments: [] });
  }

  /** Its route asks for the permission, so that no upload is read without it. */
  async attach(ctx: Context): Promise<void> {
    const ticket = this.#ticketOf(ctx);
    const { originalname: name, buffer } = ctx.request.file;
    const sha256 = createHash('sha256').update(buffer).digest('hex');
    const attachment = { name, bytes: buffer.length, sha256, addedBy: ctx.state.who };
    ctx.status = 201;
    ctx.body = this.#put({ ...ticket, attachments: [...ticket.attachments, attachment] });
  }

  /** Policy forbids it to every agent. */
  @Permit('ticket.close', desk)
  async close(ctx: Context): Promise<void> {
    ctx.body = this.#put({ ...this.#ticketOf(ctx), state: 'closed' });
  }

  @Permit('ticket.triage', desk, { agentsOnly: true })
  async triage(ctx: Context): Promise<void> {
    ctx.body = this.#put({ ...this.#ticketOf(ctx), state: 'urgent' });
  }

  #ticketOf(ctx: Context): Ticket {
    return this.#tickets[Number(ctx.params['number']) - 1] ?? ctx.throw(404);
  }

  #put(ticket: Ticket): Ticket {
    this.#tickets[ticket.number - 1] = ticket;
    return ticket;
  }
}
