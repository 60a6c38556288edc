// The examples of the documents that umbra follows, as curl sends them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAdminApi } from './admin-api-kit.ts';

interface Node {
  readonly key: string;
  readonly value: Record<string, unknown>;
}

/** What the documents that umbra follows give to `curl -X PUT -d`, with the newlines that are in them. */
const DOCUMENTED: readonly (readonly [path: string, id: string, body: string])[] = [
  [
    'routes/1',
    '1',
    `
{
    "plugins": {
        "proxy-mirror": {
           "host": "http://127.0.0.1:9797"
        }
    },
    "upstream": {
        "nodes": {
            "127.0.0.1:1999": 1
        },
        "type": "roundrobin"
    },
    "uri": "/hello"
}`,
  ],
  [
    'routes/1',
    '1',
    `
{
    "plugins": {
        "proxy-mirror": {
           "host": "http://127.0.0.1:9797",
            "enable_limit_count": true,
            "count": 2,
            "time_window": 60
        }
    },
    "upstream": {
        "nodes": {
            "127.0.0.1:1999": 1
        },
        "type": "roundrobin"
    },
    "uri": "/hello"
}`,
  ],
  [
    'routes/1',
    '1',
    `
{
    "uri": "/hello",
    "plugins": {},
    "upstream": {
        "type": "roundrobin",
        "nodes": {
            "127.0.0.1:1999": 1
        }
    }
}`,
  ],
  [
    'routes',
    'traffic-mirror-route',
    `{
    "id": "traffic-mirror-route",
    "uri": "/get",
    "plugins": {
      "proxy-mirror": {
        "host": "http://127.0.0.1:8081",
        "sample_ratio": 0.5
      }
    },
    "upstream": {
      "nodes": {
        "httpbin.org": 1
      },
      "type": "roundrobin"
    }
  }`,
  ],
];

test('what the documents give to curl is taken as it is, as the form that curl calls it', async (t) => {
  const { send } = await openAdminApi(t);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const [path, id, body] of DOCUMENTED) {
    const isNew = (await send('GET', `routes/${id}`)).status === 404;
    const answer = await send('PUT', path, { body, headers });
    assert.equal(answer.status, isNew ? 201 : 200, answer.text);
    const { key, value } = answer.body as Node;
    assert.equal(key, `/apisix/routes/${id}`);
    const { create_time, update_time, ...rest } = value;
    assert.deepEqual(rest, { ...(JSON.parse(body) as object), id });
    assert.ok(Number.isInteger(create_time) && Number.isInteger(update_time));
  }
});
