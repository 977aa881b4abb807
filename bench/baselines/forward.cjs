// The chat server that tutorials teach: a map from user id to socket, and whatever comes for somebody is passed on.
// Nothing is stored, nobody is asked who they are. `targetUserId` "*" is everybody else.
const { WebSocket, WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
const users = new Map();

server.on("listening", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

server.on("connection", (socket, request) => {
  const userId = new URL(request.url, "http://localhost").searchParams.get("userId");
  users.set(userId, socket);

  socket.on("message", (data) => {
    const { targetUserId, content } = JSON.parse(data);
    const message = JSON.stringify({ senderId: userId, content });
    if (targetUserId === "*") {
      for (const other of server.clients) {
        if (other !== socket && other.readyState === WebSocket.OPEN) other.send(message);
      }
      return;
    }
    const target = users.get(targetUserId);
    if (target && target.readyState === WebSocket.OPEN) target.send(message);
  });

  socket.on("close", () => {
    if (users.get(userId) === socket) users.delete(userId);
  });
});
