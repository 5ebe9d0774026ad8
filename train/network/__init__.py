"""The network, in torch alone: encoders, fusion, search, towers, losses."""
