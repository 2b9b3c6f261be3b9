// The TypeScript SDK v2, as its users use it. Prints one line of JSON: what it saw.
// Usage: node client-v2.mjs URL TOKEN TOOL ARGUMENTS ERA, where ERA is `legacy`, `auto` or a
// revision of the modern era; with `*` as TOOL, ARGUMENTS is a list of calls, each a tool with its
// arguments.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, token, tool, args, era] = process.argv.slice(2);
const requestInit = { headers: { authorization: `Bearer ${token}` } };
const mode = ['legacy', 'auto'].includes(era) ? era : { pin: era };
const info = { name: 'lockgate-e2e-v2', version: '1.0.0' };
const client = new Client(info, { versionNegotiation: { mode } });
const seen = {};
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  seen.era = client.getProtocolEra();
  seen.tools = (await client.listTools()).tools.map((one) => one.name);
  if (tool === '*') {
    seen.results = [];
    for (const [name, values] of JSON.parse(args)) {
      const call = client.callTool({ name, arguments: values });
      seen.results.push(await call.catch((fault) => ({ fault: String(fault) })));
    }
  } else {
    seen.result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
  }
  await client.close();
} catch (fault) {
  seen.fault = String(fault);
}
console.log(JSON.stringify(seen));
