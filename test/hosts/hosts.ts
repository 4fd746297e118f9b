import type { Host } from './host.js';
import { hosts as onNest } from './nestjs.js';
import { adapters } from './registry.js';

/** What the host file of an adapter exports: a host for each major version of its framework. */
interface HostFile {
  readonly hosts: readonly Host[];
}

const files = adapters.map(async ({ name }) => (await import(/* @vite-ignore */ `./${name}.js`)) as HostFile);

/** A host for each major version of each framework, in the order of the registry. */
export const hosts: readonly Host[] = (await Promise.all(files)).flatMap((file) => file.hosts);

/** NestJS, which runs on the adapters of its platforms. The scenarios that depend on the framework drive it too. */
export const nestHosts: readonly Host[] = onNest;
