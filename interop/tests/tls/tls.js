// An https server and its client, which prove themselves to each other with the key web.pem.
const fs = require('node:fs')
const https = require('node:https')

const cert = fs.readFileSync('web.crt')
const identity = { cert, key: fs.readFileSync('web.pem'), ca: cert }

const server = https.createServer({ ...identity, requestCert: true }, (request, response) => {
  response.end(`${request.socket.getProtocol()} ${request.socket.getPeerCertificate().subject.CN}`)
})

const fetch = version => new Promise((resolve, reject) => {
  const { address: host, port } = server.address()
  https.get({ ...identity, host, port, servername: 'localhost', agent: false, maxVersion: version }, response => {
    response.setEncoding('utf8')
    response.on('data', text => console.log(text))
    response.on('end', resolve)
  }).on('error', reject)
})

server.listen(0, '127.0.0.1', async () => {
  await fetch('TLSv1.2')
  await fetch('TLSv1.3')
  server.close()
})
