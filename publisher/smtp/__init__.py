"""The door to the relay: sessions, the postman who hands letters over, the local outbox. Floor: above `mail`."""
