import { express5 } from './express5.js';
import type { Host } from './host.js';

/** Every host that the suite drives. */
export const hosts: readonly Host[] = [express5];
