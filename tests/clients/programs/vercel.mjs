// Vercel's AI SDK 6 or 7: which one says the environment in which it runs.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const there = createRequire(`${process.env.MODULES}/package.json`);
const load = name => import(pathToFileURL(there.resolve(name)).href);
const ai = await load('ai');
const { createOpenAI } = await load('@ai-sdk/openai');
const { createAnthropic } = await load('@ai-sdk/anthropic');
const { createGoogleGenerativeAI } = await load('@ai-sdk/google');
const { z } = await load('zod');
const { trace } = await load('@opentelemetry/api');
const { NodeTracerProvider, BatchSpanProcessor } = await load('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = await load('@opentelemetry/exporter-trace-otlp-proto');

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
const isSeven = Boolean(ai.registerTelemetry);
if (isSeven) {
  const { OpenTelemetry } = await load('@ai-sdk/otel');
  ai.registerTelemetry(new OpenTelemetry());
}

const asked = 'once upon a time';
const address = (user, operation, api) => `${process.env.MODEL_URL}/${user}/${operation}/${api}`;

async function callAll(user, operation) {
  const telemetry = { isEnabled: true, functionId: operation, metadata: { userId: user } };
  const known = { prompt: asked, maxRetries: 0, ...(isSeven ? { telemetry } : { experimental_telemetry: telemetry }) };
  const openai = createOpenAI({ baseURL: `${address(user, operation, 'openai')}/v1`, apiKey: 'none' });
  const anthropic = createAnthropic({ baseURL: `${address(user, operation, 'anthropic')}/v1`, apiKey: 'none' });
  const google = createGoogleGenerativeAI({ baseURL: `${address(user, operation, 'google')}/v1beta`, apiKey: 'none' });
  const models = [
    openai.responses('gpt-5'),
    openai.chat('gpt-5'),
    anthropic('claude-sonnet-4-5'),
    google('gemini-2.5-flash'),
  ];
  const weather = ai.tool({
    description: 'Tell the weather.',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  });
  for (const model of models) {
    await ai.generateText({ model, ...known });
    for await (const _ of ai.streamText({ model, ...known }).textStream);
    await ai.generateText({ model, ...known, tools: { weather }, stopWhen: ai.stepCountIs(3) });
    await Promise.all([1, 2, 3].map(() => ai.generateText({ model, ...known })));
  }
  await ai.generateText({ model: openai.chat('broken-model'), ...known }).catch(() => {});
  const { prompt, ...settings } = known;
  await ai.embed({ model: openai.embedding('text-embedding-3-small'), value: prompt, ...settings });
}

for (const [user, operation] of [['alice', 'summarize'], ['bob', 'answer']]) {
  const attributes = { 'user.id': user };
  await trace.getTracer('app').startActiveSpan('ask', { attributes }, async span => {
    await callAll(user, operation);
    span.end();
  });
}
await provider.shutdown();
