import type { Guard } from '@countersign/core';
import { meterGuard } from '@countersign/opentelemetry';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { onTestFinished } from 'vitest';
import { serve } from './guarded.js';

/** The metrics of a guard, as Prometheus reads them over a socket. */
export class Prometheus {
  readonly #exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  readonly #provider = new MeterProvider({ readers: [this.#exporter] });

  constructor() {
    onTestFinished(() => this.#provider.shutdown());
  }

  readonly meter = (guard: Guard): Guard => meterGuard(guard, { meterProvider: this.#provider });

  /** The page that Prometheus gets. */
  async page(): Promise<string> {
    await using served = await serve((request, response) => this.#exporter.getMetricsRequestHandler(request, response));
    const response = await fetch(served.url);
    return await response.text();
  }

  /** Values by name and labels, as on the page. Buckets are left out. */
  async values(): Promise<Readonly<Record<string, number>>> {
    const lines = (await this.page()).split('\n').filter((line) => !line.startsWith('#') && !line.includes('_bucket{'));
    return Object.fromEntries(
      lines
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }
}
