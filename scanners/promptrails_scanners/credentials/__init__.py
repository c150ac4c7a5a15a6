"""What secrets look like: tables of providers and services, and the rules that read them."""
