// Speaks to the public API as its known client for Node does: the same calls, the same fields of the replies, the same
// handling of errors. Prints what it saw as one JSON object.

const { BASE_URL, API_KEY, BOX_ID, FILE_IDS, QUERY } = process.env
const files = JSON.parse(FILE_IDS)

async function request(method, endpoint, body = null, key = API_KEY) {
  const options = { method, headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" } }
  if (body) options.body = JSON.stringify(body)
  const response = await fetch(`${BASE_URL}/${endpoint}`, options)
  const reply = await response.json()
  if (!response.ok || !reply.success) {
    const error = reply.error || { summary: "Unknown API error" }
    throw new Error(`API Error (${error.code}): ${error.summary} - ${error.cause}`)
  }
  return reply.data
}

const search = (box, query, sources = null) =>
  request("POST", `boxes/${box}/retrieve-documents`, sources ? { query, sources } : { query })
const fullDocuments = (box, sources) => request("POST", `boxes/${box}/retrieve-full-documents`, { sources })
const failure = (promise) => promise.then(() => null, (error) => error.message)

const health = await request("GET", "check")
const found = await search(BOX_ID, QUERY, files)
const everywhere = await search(BOX_ID, QUERY)
const full = await fullDocuments(BOX_ID, files)

console.log(
  JSON.stringify({
    message: health.message,
    passages: found.documents[0].documents.length,
    passages_everywhere: everywhere.documents[0].documents.length,
    best: found.documents[0].documents[0],
    units: found.usage.intelligence_units_consumed,
    documents: full.usage.documents_retrieved,
    pages: full.usage.total_pages,
    files: full.documents.map((document) => [document.fileName, document.pages.length]),
    errors: [
      await failure(request("GET", "check", null, "bbfe_wrong_key")),
      await failure(search("box_of_nobody", QUERY)),
      await failure(search(BOX_ID, "")),
    ],
  }),
)
