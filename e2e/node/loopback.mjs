// Keeps a server that would listen on every interface on loopback: load it with `node --import`.
import net from 'node:net';

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function onLoopback(...args) {
  const takesPort = typeof args[0] === 'number' || /^\d+$/.test(args[0]);
  if (takesPort && typeof args[1] !== 'string') args.splice(1, 0, '127.0.0.1');
  return listen.apply(this, args);
};
