import { centsPerUnit, type Invoice } from './books.js';
import type { Ticket } from './tickets.js';

/** An invoice that differs from the metered usage. */
export interface Anomaly {
  readonly invoice: Invoice;
  readonly meteredUnits: number;
  readonly excessCents: number;
}

/** Calls the API and resolves to the body of its answer. */
export type Call = <Body>(method: 'GET' | 'POST', path: string, body?: object) => Promise<Body>;

export interface Report {
  readonly invoices: readonly Invoice[];
  readonly anomalies: readonly { readonly anomaly: Anomaly; readonly ticket: Ticket }[];
}

/** The agent's job: "summarize billing anomalies". It reads, compares, and opens a ticket for each anomaly. */
export async function reportAnomalies(call: Call): Promise<Report> {
  const invoices = await call<Invoice[]>('GET', '/accounts/acme/invoices');
  const metered = await call<{ customer: string; units: number }[]>('POST', '/warehouse/billing/query', {
    sum: 'units',
    by: 'customer',
  });

  const anomalies = [];
  for (const anomaly of findAnomalies(invoices, new Map(metered.map(({ customer, units }) => [customer, units])))) {
    const ticket = await call<Ticket>('POST', '/queues/finance/tickets', { title: describe(anomaly) });
    anomalies.push({ anomaly, ticket });
  }
  return { invoices, anomalies };
}

export function findAnomalies(invoices: readonly Invoice[], meteredUnits: ReadonlyMap<string, number>): Anomaly[] {
  return invoices
    .map((invoice) => {
      const units = meteredUnits.get(invoice.customer) ?? 0;
      return { invoice, meteredUnits: units, excessCents: invoice.cents - units * centsPerUnit };
    })
    .filter(({ excessCents }) => excessCents !== 0);
}

function describe({ invoice, meteredUnits, excessCents }: Anomaly): string {
  const { number, customer, units } = invoice;
  return `${number}: ${customer} was billed ${units} units, metered ${meteredUnits}; off by ${dollars(excessCents)}`;
}

function dollars(cents: number): string {
  return `$${(cents / 100).toFixed(2)}`;
}
