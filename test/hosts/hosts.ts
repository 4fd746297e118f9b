import type { Host } from './host.js';
import { adapters } from './registry.js';

/** What the host file of an adapter exports: a host for each major version of its framework. */
interface HostFile {
  readonly hosts: readonly Host[];
}

const files = adapters.map(async ({ name }) => (await import(/* @vite-ignore */ `./${name}.js`)) as HostFile);

/** Every host that the suite drives, in the order of the registry. */
export const hosts: readonly Host[] = (await Promise.all(files)).flatMap((file) => file.hosts);
