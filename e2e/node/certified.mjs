// An MCP server over TLS that takes only clients with a certificate of its authority, and has a tool that
// says whose it was. Usage: node certified.mjs CERTIFICATE KEY CLIENT_AUTHORITY; prints its URL.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const [cert, key, ca] = process.argv.slice(2).map((path) => readFileSync(path));

const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, async (req, res) => {
  const { subject, fingerprint256 } = req.socket.getPeerCertificate();
  const mcp = new McpServer({ name: 'certified', version: '1.0.0' });
  mcp.registerTool('whoami', { description: 'Whose certificate was shown' }, () => ({
    content: [{ type: 'text', text: JSON.stringify({ name: subject.CN, fingerprint256 }) }],
  }));
  // Without sessions: each request is a server of its own, which knows its socket.
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  res.on('close', () => { transport.close(); mcp.close(); });
  await mcp.connect(transport);
  await transport.handleRequest(req, res);
});

server.listen(0, '127.0.0.1', () => console.log(`https://127.0.0.1:${server.address().port}/mcp`));
