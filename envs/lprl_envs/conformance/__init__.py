"""Does an environment keep the contract?"""
