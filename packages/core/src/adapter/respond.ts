import type { RefusalResponse } from '../model/refusal.js';

/** Sends a refusal the way the host does it. Default: straight through `node:http`. */
export type Respond = (response: RefusalResponse) => void;
