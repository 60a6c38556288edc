// A process whose handler throws in the callback that it is told, to show that this ends the process.

import { type ClientKind, Trace, type TraceEvent, toCreateClient, toRequest } from './trace.ts';

const CALLBACKS: Readonly<Record<string, TraceEvent>> = {
  onStart: 'start',
  onHead: 'head',
  onBody: 'body',
  onEnd: 'end',
  onError: 'error',
};

const [kind = '', origin = '', callback = ''] = process.argv.slice(2);
const trace = new Trace((event) => {
  if (event === CALLBACKS[callback]) throw new Error(`thrown in ${callback}`);
});
trace.dispatch(toCreateClient(kind as ClientKind)(origin), toRequest({ target: '/throwing' }));
