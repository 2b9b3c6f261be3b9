// The TypeScript SDK v1, as its users use it. Prints one line of JSON: what it saw.
// Usage: node client-v1.mjs URL TOKEN TOOL ARGUMENTS; with `*` as TOOL, ARGUMENTS is a list of calls, each
// a tool with its arguments.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, token, tool, args] = process.argv.slice(2);
const requestInit = { headers: { authorization: `Bearer ${token}` } };
const client = new Client({ name: 'lockgate-e2e-v1', version: '1.0.0' });
const seen = {};
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
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
